"""What a user types: minipg COMMAND …, a module a command; importing one changes nothing.

file         what
main         minipg itself: its commands, the entry point
verify       minipg verify: every claim on a table; --bugs
bugs         … the table of the bug museum
lecture      minipg lecture: the page of every equation
train        minipg train: a run from its options to its result
options      … its options, one subcommand an algorithm
presets      … the settings that solve an environment
environments … the environments its options ask for
resume       … a run folder taken up again
until        … --until: the return that ends a run
afterword    … what its record shows at the end
evaluate     minipg evaluate: fresh episodes of a trained policy
mode         … the most likely actions alone
exactly      … their mean return itself, where there is a table
film         … one of them as a moving picture
sweep        minipg sweep: many runs and their table
workers      … the processes that run them, here or on a Dask cluster
plot         minipg plot: learning curves
curves       … what they show: run folders, grouped
panels       … the picture
audit        minipg audit: the name of what an estimator computes
estimators   minipg estimators: bias and variance of every ψ_t
attribution  … an algorithm's ingredients, one after another
ingredients  … from its options; their table and picture
groups       minipg groups: RLOO, GRPO and the like
oracle       minipg oracle: a million states
runs         a run folder is read
writer       a run folder is written
lock         … by one process at a time
failures     what went wrong with a run, in a line
say          figures with the digits that their error deserves
progress     a progress bar, with tqdm or without
cli          options, mistakes and Ctrl-C in one line
process      the process: threads, memory, signals, modules of the current folder
"""
