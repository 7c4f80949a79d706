#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""sbom.py - what a built seep consists of and needs, as CycloneDX 1.5 JSON: sbom.py BINARY VERSION

Nothing is declared by hand. Three things are asked, and dpkg says which package each answer is of:

    the loader      which shared libraries it takes, directly and in turn (required)
    the link map    which files were linked in from outside the tree (required)
    the debug info  whose headers' code was compiled in (required if a header is all there is of its
                    package, as with uthash; excluded if the package's library is linked anyway)

The link map is BINARY.map, which the Makefile has the linker write. The same binary gives the same
bytes: the time is SOURCE_DATE_EPOCH, the serial number is made of the binary's hash.
"""
import datetime
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import uuid

FORMAT = "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}"


def output_of(*args):
    return subprocess.run(args, check=True, capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C"}).stdout


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


@functools.cache
def os_release():
    lines = pathlib.Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    return {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}


@functools.cache
def package_of(path):
    """The name of the package that a file came with, or None. dpkg knows /lib/x where the file system
    says /usr/lib/x, and the other way round."""
    for name in (path, path.removeprefix("/usr"), "/usr" + path):
        done = subprocess.run(["dpkg-query", "-S", name], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.split(": ")[0].split(",")[0]
    return None


def real_package_of(path):
    return package_of(str(path)) or package_of(str(pathlib.Path(path).resolve()))


def needed_by(path):
    return re.findall(r"\(NEEDED\).*\[(.+)\]", output_of("readelf", "--dynamic", "--wide", path))


def libraries_of(binary):
    """{name: path}, as the loader finds them here."""
    found = re.findall(r"^\s*(\S+) => (/\S+)|^\s*(/\S+) \(", output_of("ldd", binary), re.M)
    return {name or pathlib.Path(alone).name: path or alone for name, path, alone in found}


def linked_in(binary):
    """Objects and archives from outside the tree in the binary."""
    text = pathlib.Path(f"{binary}.map").read_text(encoding="utf-8", errors="replace")
    paths = re.findall(r"^LOAD (/\S+)$", text, re.M)
    return sorted({os.path.normpath(p) for p in paths if p.endswith((".a", ".o"))})


def headers_of(binary):
    """Headers outside the tree from which the binary has code or types."""
    text = output_of("readelf", "--debug-dump=rawline", binary)
    directories = set(re.findall(r"/usr/include/[\w./+-]*|/usr/lib/[\w./+-]*/include", text))
    names = set(re.findall(r"\b[\w+-]+\.h\b", text))
    found = set()
    for directory in sorted(directories | {"/usr/include"}):
        found |= {str(p) for p in pathlib.Path(directory).glob("*.h") if p.name in names}
    return sorted(found)


def describe(package):
    name, version, arch, source, source_version = output_of(
        "dpkg-query", "-W", "-f", FORMAT, package).split("\t")
    distro = os_release()
    purl = (f"pkg:deb/{distro['ID']}/{name}@{version.replace(':', '%3A').replace('+', '%2B')}"
            f"?arch={arch}&distro={distro['ID']}-{distro.get('VERSION_ID', '')}")
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl,
            "licenses": licenses_of(name), "source": source, "source_version": source_version}


def licenses_of(name):
    """Short names in a copyright file that is machine-readable, which is of the whole source package;
    else none are said."""
    path = pathlib.Path("/usr/share/doc", name, "copyright")
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    if not text.startswith("Format: http"):
        return []
    names = {line.strip() for line in re.findall(r"^License:[ \t]*(\S.*)$", text, re.M)}
    return [{"license": {"name": name}} for name in sorted(names)]


class Bom:
    def __init__(self):
        self.components = {}

    def add(self, path, how, scope="required"):
        """The package of a file, with the file; returns its reference."""
        package = real_package_of(path)
        if not package:
            sys.exit(f"sbom: no package has '{path}'")
        component = self.components.setdefault(package, {**describe(package), "scope": scope,
                                                         "files": {}, "how": set()})
        component["how"].add(how)
        if how != "header":
            component["files"][str(path)] = sha256(path)
        return component["bom-ref"]

    def has_source(self, package):
        return any(c["source"] == describe(package)["source"] for c in self.components.values())


def finish(component):
    """As the schema wants it: what has no field of its own is a property."""
    out = {key: value for key, value in component.items()
           if key not in ("files", "how", "source", "source_version") and value != []}
    facts = [("seep:source", f"{component['source']} {component['source_version']}")]
    facts += [("seep:used", how) for how in sorted(component["how"])]
    facts += [("seep:file", f"{path} sha256:{digest}")
              for path, digest in sorted(component["files"].items())]
    out["properties"] = [{"name": name, "value": value} for name, value in facts]
    return out


def seep_itself(binary, version):
    return {"type": "application", "bom-ref": f"pkg:generic/seep@{version}", "name": "seep",
            "version": version, "purl": f"pkg:generic/seep@{version}",
            "licenses": [{"license": {"id": "BSD-2-Clause"}}],
            "hashes": [{"alg": "SHA-256", "content": sha256(binary)}]}


def collect(binary, version):
    bom, itself, edges = Bom(), seep_itself(binary, version), {}
    libraries = libraries_of(binary)
    refs = {name: bom.add(path, "shared library") for name, path in libraries.items()}
    edges[itself["bom-ref"]] = {refs[name] for name in needed_by(binary)}
    for name, path in libraries.items():
        edges.setdefault(refs[name], set()).update(
            refs[other] for other in needed_by(path) if other in refs)
    for path in linked_in(binary):
        edges[itself["bom-ref"]].add(bom.add(path, "linked in"))
    for path in headers_of(binary):
        package = real_package_of(path)
        if package:
            scope = "excluded" if bom.has_source(package) else "required"
            edges[itself["bom-ref"]].add(bom.add(path, "header", scope))
    return itself, bom, edges


def document(binary, version):
    itself, bom, edges = collect(binary, version)
    at = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
    components = sorted(map(finish, bom.components.values()), key=lambda c: c["bom-ref"])
    for ref in (c["bom-ref"] for c in components):
        edges.setdefault(ref, set())
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, sha256(binary))}",
        "version": 1,
        "metadata": {"timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "component": itself},
        "components": components,
        "dependencies": [{"ref": ref, "dependsOn": sorted(to - {ref})}
                         for ref, to in sorted(edges.items())],
    }


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    json.dump(document(sys.argv[1], sys.argv[2]), sys.stdout, indent=2, sort_keys=True)
    print()
