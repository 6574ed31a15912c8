"""
Coded transfer: what is offered as checked segments (`content`), where what arrives is kept (`store`), and how it gets
from one to many (`session`).
"""
