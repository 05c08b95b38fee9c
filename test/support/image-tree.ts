import { execFileSync } from 'node:child_process';

/** Reads a docker-archive by itself, so that what is compared does not come out of our own reader. */
const SCRIPT = `
import tarfile, sys, json, hashlib, io, re
archive = tarfile.open(sys.argv[1])
manifest = json.load(archive.extractfile("manifest.json"))[0]
tree = {}
for name in manifest["Layers"]:
    layer = tarfile.open(fileobj=io.BytesIO(archive.extractfile(name).read()))
    for entry in layer:
        path = re.sub("^[.]?/+", "", entry.name).rstrip("/")
        path = "" if path == "." else path
        base = path.rsplit("/", 1)[-1]
        if base.startswith(".wh."):
            victim = path[: -len(base)] + base[4:]
            for key in [key for key in tree if key == victim or key.startswith(victim + "/")]:
                del tree[key]
            continue
        kind = "d" if entry.isdir() else "l" if entry.issym() else "f"
        content = hashlib.sha256(layer.extractfile(entry).read()).hexdigest()[:8] if entry.isfile() else entry.linkname
        tree[path] = "%s %o %d:%d %s" % (kind, entry.mode, entry.uid, entry.gid, content)
config = json.load(archive.extractfile(manifest["Config"]))
print(json.dumps({"tree": tree, "config": config}))
`;

export interface ImageContent {
  /** By path: kind, mode, owner, and the content's hash or the link's target. */
  readonly tree: Readonly<Record<string, string>>;
  readonly config: { readonly config: Readonly<Record<string, unknown>> };
}

/** What an image in a docker-archive is, layers applied. */
export function imageContent(archive: string): ImageContent {
  const output = execFileSync('python3', ['-c', SCRIPT, archive], { encoding: 'utf8', maxBuffer: 64 * 1024 ** 2 });
  return JSON.parse(output) as ImageContent;
}
