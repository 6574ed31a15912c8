"""x"""
import os, time, sys
def born():
    with open("/proc/self/stat") as f: v=f.read().rsplit(")",1)[1].split()
    return int(v[19])/os.sysconf("SC_CLK_TCK")
B=born()
N=0
def note(*a):
    global N
    p=os.environ.get("TM_TRACE")
    if p and N<400:
        N+=1
        with open(f"{p}.msg.{os.getpid()}","a") as f: f.write(f"{time.monotonic():.3f} +{time.monotonic()-B:.3f} {' '.join(map(str,a))}\n")
