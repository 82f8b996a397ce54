"""The answers of `archive` as a person reads them; a module a group of questions.

Each imports rich alone at run time: what it shows it knows by type only.
"""
