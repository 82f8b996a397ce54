"""What can be taken away, one format a file, found by standing here.

A format has `write(folder, source)`: its files, made from one pass over the archive, a report at a
time. The same archive gives the same bytes: no clock, no random number, a fixed order.
"""
