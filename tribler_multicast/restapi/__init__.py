"""
The REST endpoints of the plugin, under ``/api/multicast``, the same in Tribler and standalone.
"""
