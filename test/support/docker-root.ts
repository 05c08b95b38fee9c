/**
 * A root as Docker 1.4 leaves it behind, written byte for byte: two images, a running, a stopped and an aufs container,
 * a volume, names and a link. The texts are what the Go encoder of that version produces.
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';

export const DOCKER_IDS = {
  baseImage: 'aa'.repeat(32),
  image: 'bb'.repeat(32),
  web: `1c${'c1'.repeat(31)}`,
  db: `2d${'d2'.repeat(31)}`,
  old: `3e${'e3'.repeat(31)}`,
  volume: `4f${'f4'.repeat(31)}`,
  bindVolume: `5a${'a5'.repeat(31)}`,
} as const;

const RUN_CONFIG = (overrides: {
  hostname?: string;
  image?: string;
  exposed?: string;
  env?: string;
  volumes?: string;
}) =>
  `{"Hostname":"${overrides.hostname ?? ''}","Domainname":"","User":"","Memory":0,"MemorySwap":0,"CpuShares":0,"Cpuset":"",` +
  '"AttachStdin":false,"AttachStdout":true,"AttachStderr":true,"PortSpecs":null,' +
  `"ExposedPorts":${overrides.exposed ?? 'null'},"Tty":false,"OpenStdin":false,"StdinOnce":false,` +
  `"Env":${overrides.env ?? 'null'},"Cmd":["/bin/sh","-c","top"],"Image":"${overrides.image ?? ''}",` +
  `"Volumes":${overrides.volumes ?? 'null'},"WorkingDir":"","Entrypoint":null,"NetworkDisabled":false,"MacAddress":"","OnBuild":null}`;

export function imageJson(id: string, parent: string | null): string {
  const parentKey = parent === null ? '' : `"parent":"${parent}",`;
  return (
    `{"id":"${id}",${parentKey}"created":"2014-12-01T10:00:00.5Z","container_config":${RUN_CONFIG({})},` +
    `"docker_version":"1.4.1","config":${RUN_CONFIG({})},"architecture":"amd64","os":"linux",` +
    `"checksum":"tarsum.dev+sha256:${'0'.repeat(64)}","Size":1024}\n`
  );
}

interface ContainerFixture {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  readonly state: string;
  readonly network: string;
  readonly volumes: string;
  readonly volumesRw: string;
}

const NO_NETWORK =
  '{"IPAddress":"","IPPrefixLen":0,"MacAddress":"","Gateway":"","Bridge":"","PortMapping":null,"Ports":null}';
const EXITED =
  '{"Running":false,"Paused":false,"Restarting":false,"OOMKilled":false,"Pid":0,"ExitCode":3,"Error":"",' +
  '"StartedAt":"2014-12-16T08:00:00.1Z","FinishedAt":"2014-12-16T09:30:00.000000001Z"}';
/** Its pid is this test's own: whoever signals it ends the test. */
const RUNNING = `{"Running":true,"Paused":false,"Restarting":false,"OOMKilled":false,"Pid":${process.pid},"ExitCode":0,"Error":"",\
"StartedAt":"2014-12-16T08:00:00.1Z","FinishedAt":"0001-01-01T00:00:00Z"}`;

export function configJson(root: string, fixture: ContainerFixture): string {
  const { id } = fixture;
  const directory = `${root}/containers/${id}`;
  const config = RUN_CONFIG({
    hostname: id.slice(0, 12),
    image: 'busybox',
    exposed: '{"80/tcp":{},"90/tcp":{}}',
    env: '["A=1 \\u003c 2 \\u0026 3"]',
    volumes: '{"/data":{}}',
  });
  return (
    `{"State":${fixture.state},"ID":"${id}","Created":"2014-12-16T07:59:59.123456789Z","Path":"/bin/sh",` +
    `"Args":["-c","top"],"Config":${config},"Image":"${DOCKER_IDS.image}","NetworkSettings":${fixture.network},` +
    `"ResolvConfPath":"${directory}/resolv.conf","HostnamePath":"${directory}/hostname","HostsPath":"${directory}/hosts",` +
    `"Name":"/${fixture.name}","Driver":"${fixture.driver}","ExecDriver":"native-0.2","MountLabel":"","ProcessLabel":"",` +
    `"AppArmorProfile":"","RestartCount":0,"Volumes":${fixture.volumes},"VolumesRW":${fixture.volumesRw}}`
  );
}

export const HOST_CONFIG_JSON =
  '{"Binds":["/srv:/c:ro"],"ContainerIDFile":"","LxcConf":[],"Privileged":false,' +
  '"PortBindings":{"80/tcp":[{"HostIp":"","HostPort":"8080"}]},"Links":null,"PublishAllPorts":false,"Dns":null,' +
  '"DnsSearch":null,"ExtraHosts":["h:10.0.0.9"],"VolumesFrom":null,' +
  '"Devices":[{"PathOnHost":"/dev/a","PathInContainer":"/dev/b","CgroupPermissions":"rwm"}],"NetworkMode":"bridge",' +
  '"IpcMode":"","CapAdd":null,"CapDrop":["MKNOD"],"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":5},"SecurityOpt":null}';

function containers(root: string): readonly ContainerFixture[] {
  const network =
    '{"IPAddress":"172.17.0.2","IPPrefixLen":16,"MacAddress":"02:42:ac:11:00:02","Gateway":"172.17.42.1",' +
    '"Bridge":"docker0","PortMapping":null,"Ports":{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"49153"}],"90/tcp":null}}';
  const volumes = `{"/data":"${root}/vfs/dir/${DOCKER_IDS.volume}"}`;
  const none = { network: NO_NETWORK, volumes: '{}', volumesRw: '{}' };
  const web = { id: DOCKER_IDS.web, name: 'web', driver: 'overlay', state: RUNNING };
  return [
    { ...web, network, volumes, volumesRw: '{"/data":true}' },
    { id: DOCKER_IDS.db, name: 'db', driver: 'overlay', state: EXITED, ...none },
    { id: DOCKER_IDS.old, name: 'old', driver: 'aufs', state: EXITED, ...none },
  ];
}

function writeContainer(root: string, fixture: ContainerFixture): void {
  const directory = join(root, 'containers', fixture.id);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const files: Readonly<Record<string, string>> = {
    'config.json': configJson(root, fixture),
    'hostconfig.json': HOST_CONFIG_JSON,
    hostname: `${fixture.id.slice(0, 12)}\n`,
    hosts: `172.17.0.2\t${fixture.id.slice(0, 12)}\n127.0.0.1\tlocalhost\n`,
    'resolv.conf': 'nameserver 10.0.2.3\n',
    [`${fixture.id}-json.log`]: '{"log":"hi\\n","stream":"stdout","time":"2014-12-16T08:00:00.123456789Z"}\n',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
}

function writeVolumes(root: string): void {
  const entries = [
    { id: DOCKER_IDS.volume, path: `${root}/vfs/dir/${DOCKER_IDS.volume}`, bind: false },
    { id: DOCKER_IDS.bindVolume, path: '/srv', bind: true },
  ];
  for (const { id, path, bind } of entries) {
    mkdirSync(join(root, 'volumes', id), { recursive: true });
    const text = `{"ID":"${id}","Path":"${path}","IsBindMount":${bind},"Writable":true}`;
    writeFileSync(join(root, 'volumes', id, 'config.json'), text);
  }
  mkdirSync(join(root, 'vfs', 'dir', DOCKER_IDS.volume), { recursive: true });
  writeFileSync(join(root, 'vfs', 'dir', DOCKER_IDS.volume, 'kept'), 'data');
}

/** Rows as in docker-1.4's own database, with SQLite's default of that time: no foreign keys. */
function writeLinkGraph(root: string): void {
  const { web, db, old } = DOCKER_IDS;
  const database = new Database(join(root, 'linkgraph.db'));
  database.pragma('foreign_keys = OFF');
  database.exec(`
    CREATE TABLE IF NOT EXISTS entity ( id text NOT NULL PRIMARY KEY );
    CREATE TABLE IF NOT EXISTS edge ( "entity_id" text NOT NULL, "parent_id" text NULL, "name" text NOT NULL,
      CONSTRAINT "parent_fk" FOREIGN KEY ("parent_id") REFERENCES "entity" ("id"),
      CONSTRAINT "entity_fk" FOREIGN KEY ("entity_id") REFERENCES "entity" ("id") );
    CREATE UNIQUE INDEX IF NOT EXISTS "name_parent_ix" ON "edge" (parent_id, name);
    INSERT INTO entity (id) VALUES ('0'), ('${web}'), ('${db}'), ('${old}');
    INSERT INTO edge (entity_id, parent_id, name) VALUES
      ('0', NULL, '/'), ('${db}', '0', 'db'), ('${web}', '0', 'web'), ('${old}', '0', 'old'), ('${db}', '${web}', 'database');
  `);
  database.close();
}

/** Fills an empty directory. */
export function writeDockerRoot(root: string): void {
  chmodSync(root, 0o700);
  for (const fixture of containers(root)) writeContainer(root, fixture);
  const { baseImage, image } = DOCKER_IDS;
  for (const [id, parent] of [[baseImage, null] as const, [image, baseImage] as const]) {
    mkdirSync(join(root, 'graph', id), { recursive: true, mode: 0o700 });
    writeFileSync(join(root, 'graph', id, 'json'), imageJson(id, parent), { mode: 0o600 });
    writeFileSync(join(root, 'graph', id, 'layersize'), '2048', { mode: 0o600 });
  }
  mkdirSync(join(root, 'graph', '_tmp'), { mode: 0o700 });
  const tags = `{"Repositories":{"busybox":{"latest":"${image}"},"me/app":{"latest":"${image}","v1":"${baseImage}"}}}`;
  writeFileSync(join(root, 'repositories-overlay'), tags, { mode: 0o600 });
  writeVolumes(root);
  writeLinkGraph(root);
}
