"""
Coded transfers on real sockets and disks: an asyncio shell around `transfer.session` and `transfer.store`.
"""
