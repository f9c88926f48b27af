"""What scripts/fuzz.py draws and what it holds every command to.

spaces     spaces of any kind
faults     what goes wrong at a call
worlds     environments nobody here wrote, with a fault at one of their calls
journeys   train, interrupted, taken up again, evaluated, drawn
folders    run folders that were edited
others     options, tables, variables of the shell
oracle     what must hold of a command, whatever it was given
"""
