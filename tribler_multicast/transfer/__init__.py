"""
Coded transfer: what is offered as checked segments (`content`), and where what arrives is kept (`store`).
"""
