/** docs/docker.md: how Docker's clients are served, and every route there is. */
import { NEWEST_API, OLDEST_API } from '../../src/docker/wire/versions.ts';

const INTRODUCTION = `# Docker's clients

<!-- Written by npm run generate from src/docker/routes and scripts/docs/docker-reference.mjs. -->

The supervisor's socket answers the Docker Engine API, versions ${OLDEST_API} to ${NEWEST_API}, beside its own. \`docker\`, and what else
speaks that API, works with it:

\`\`\`text
export DOCKER_HOST=unix:///run/tsdocker/tsdocker.sock
docker ps
\`\`\`

Whoever may use the socket is root on this host, as with Docker.

## What is wanted stays in one place

A container, network or volume that a client makes is part of the desired state, as what manifests declare is: the same loop
carries it out, \`tsdocker get\`, \`why\` and \`events\` show it (its app is \`@docker\`), it survives the supervisor and keeps Docker's
restart rules. Its record is its declaration: no generation is written for it, and \`rollback\` does not touch it.

What a manifest declares can be looked at, started, stopped, entered and copied from. A change of what it declares is answered
with 409, with file and line: that is where it is changed.

## Differences

- Security options that are not enforced here are refused, never ignored: profiles of AppArmor, labels of SELinux (\`apparmor=unconfined\` and
  \`label=disable\` are what is done), other masked paths than the usual ones.
- No users are remapped, so \`--userns host\` is what every container has. The other namespaces (\`--pid\`, \`--ipc\`, \`--uts\`, \`--cgroupns\`) and
  the propagation of binds are as in Docker, but \`--cgroupns\` is \`private\` by default with control groups of version 1 too.
- Swarm and plugins are answered as by a daemon that has none.
- Images are built by the classic builder: \`DOCKER_BUILDKIT=0 docker build\`. Clients that want BuildKit get an error that says so.
- \`json-file\`, \`local\`, \`journald\`, \`syslog\` and \`none\` are the log drivers.

## Routes

Paths begin with the version (\`/v1.45/info\`) or speak the newest. \`{name+}\` may hold slashes.

`;

/** @param routes DockerRoute[] */
export function dockerReference(routes) {
  const rows = routes.map(({ method, path, since }) => ({
    method,
    path,
    since: since === undefined ? '' : `1.${since}`,
  }));
  rows.sort((a, b) => (a.path === b.path ? a.method.localeCompare(b.method) : a.path < b.path ? -1 : 1));
  const lines = rows.map(({ method, path, since }) => `| ${method} | \`${path}\` | ${since} |`);
  return `${INTRODUCTION}| method | path | since |\n|---|---|---|\n${lines.join('\n')}\n`;
}
