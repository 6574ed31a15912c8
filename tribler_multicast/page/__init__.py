"""
The "Local network" page: an HTML shell, one ES module, one style sheet.
"""
