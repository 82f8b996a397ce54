"""PARSE 2: documents → cells of a statutory form, with states, checks and findings."""

from crawler.forms.definition import Form, FormError, forms
from crawler.forms.nesting import nested
from crawler.forms.reading import read

__all__ = ["PARSER", "Form", "FormError", "forms", "nested", "read"]

# Raise it whenever the same document may now read differently.
PARSER = "forms/1"
