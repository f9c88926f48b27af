"""The lecture as a page: what `minipg lecture` writes.

file                what
page                the whole page: cards, contents, proofs
code                a function's source as a card shows it
formula             TeX as MathML, and its font
shown_by            functions and tests of each statement
drawing             figures as inline SVG
pictures            which picture stands on which card
pictures_estimates  scores, noise, baselines
pictures_values     V, Q, A, ψ, λ, visits
pictures_theory     J, L, the bound, the metric
pictures_step       conjugate gradients, line search, clip, K-FAC
"""
