"""
Network weather: how full the gateway is, whose traffic may go first, and who steps aside. Knows no socket and no clock.
"""
