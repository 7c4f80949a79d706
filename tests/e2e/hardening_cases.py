# SPDX-License-Identifier: BSD-2-Clause
"""hardening_cases.py - the binary is what the Makefile's HARDENING asks for, by readelf."""
import platform
import re
import shutil

from harness import SEEP, Skip, expect, run

# As GCC notes them for each source file. Not all compilers note anything.
SWITCHES = ["-fPIE", "-fstack-protector-strong", "-fstack-clash-protection"]
OF_MACHINE = {"x86_64": "-fcf-protection=full", "aarch64": "-mbranch-protection=standard"}


def readelf(*options):
    if not shutil.which("readelf"):
        raise Skip("needs readelf (binutils)")
    done = run(["readelf", "--wide", *options, SEEP], 60)
    expect(done.returncode == 0, done.stderr)
    return done.stdout


def check_position():
    expect(re.search(r"Type:\s+DYN", readelf("--file-header")), "not position independent")
    expect(re.search(r"FLAGS_1.*\bPIE\b", readelf("--dynamic")), "a shared object, no PIE")


def check_segments():
    """Nothing can be written and run, and what the linker filled in is read-only afterwards."""
    flags = re.findall(r"^  ([A-Z_]+)\s+(?:0x\w+\s+){5}([RWE ]{3})\s", readelf("--segments"), re.M)
    kinds = dict(flags)
    both = [kind for kind, of in flags if "W" in of and "E" in of]
    expect(not both, f"writable and executable: {both}")
    expect(kinds.get("GNU_STACK", "E").strip() == "RW", f"the stack is {kinds.get('GNU_STACK')}")
    expect("GNU_RELRO" in kinds, "no RELRO")
    dynamic = readelf("--dynamic")
    expect("BIND_NOW" in dynamic or re.search(r"FLAGS.*\bNOW\b", dynamic), "RELRO is partial")
    found = re.findall(r"\((TEXTREL|RPATH|RUNPATH)\)", dynamic)
    expect(not found, f"unwanted: {found}")


def check_calls():
    """The checked forms of what writes strings and memory, and who is called when the stack breaks."""
    names = set(re.findall(r"\b(__\w+)@", readelf("--dyn-syms")))
    wanted = {"__stack_chk_fail", "__snprintf_chk", "__memcpy_chk", "__vsnprintf_chk"}
    expect(wanted <= names, f"missing: {sorted(wanted - names)}")


def check_switches():
    """Every file of ours was compiled with them, not only most."""
    units = readelf("--debug-dump=info", "--dwarf-depth=1")
    producers = re.findall(r"DW_AT_producer\s+:.*?: (GNU C\d.*)", units)
    if not producers:
        raise Skip("the compiler does not note its switches, or there is no debug information")
    wanted = [*SWITCHES, OF_MACHINE.get(platform.machine(), "-fPIE")]
    bare = [p for p in producers for switch in wanted if switch not in p.split()]
    expect(not bare, f"{len(bare)} files without a switch, as: {bare[:1]}")


CASES = {
    "position independent": check_position,
    "segments": check_segments,
    "checked calls": check_calls,
    "every file": check_switches,
}


def run_all(results, _directory):
    for name, check in CASES.items():
        with results.case(f"hardening: {name}"):
            check()
