/** Which stand-ins there are, and what of this host is in them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface StandIn {
  /** As a manifest names it, without tag. */
  readonly name: string;
  /** `name:x:uid:gid` lines of its users beside root. */
  readonly users: readonly string[];
}

/** By the folder beside this file. */
export const STAND_INS: Readonly<Record<string, StandIn>> = {
  caddy: { name: 'library/caddy', users: [] },
  gitea: { name: 'gitea/gitea', users: ['git:x:1000:1000'] },
  grafana: { name: 'grafana/grafana', users: ['grafana:x:472:0'] },
  loki: { name: 'grafana/loki', users: ['loki:x:10001:10001'] },
  mariadb: { name: 'library/mariadb', users: ['mysql:x:999:999'] },
  minio: { name: 'minio/minio', users: [] },
  mosquitto: { name: 'library/eclipse-mosquitto', users: ['mosquitto:x:1883:1883'] },
  nats: { name: 'library/nats', users: [] },
  nextcloud: { name: 'library/nextcloud', users: ['www-data:x:33:33'] },
  nginx: { name: 'library/nginx', users: ['nginx:x:101:101'] },
  paperless: { name: 'ghcr.io/paperless-ngx/paperless-ngx', users: ['paperless:x:1000:1000'] },
  postgres: { name: 'library/postgres', users: ['postgres:x:999:999'] },
  prometheus: { name: 'prom/prometheus', users: ['nobody:x:65534:65534'] },
  rabbitmq: { name: 'library/rabbitmq', users: ['rabbitmq:x:999:999'] },
  redis: { name: 'library/redis', users: ['redis:x:999:999'] },
  registry: { name: 'library/registry', users: [] },
  traefik: { name: 'library/traefik', users: [] },
  'uptime-kuma': { name: 'louislam/uptime-kuma', users: ['node:x:1000:1000'] },
  valkey: { name: 'valkey/valkey', users: ['valkey:x:999:999'] },
  vaultwarden: { name: 'vaultwarden/server', users: [] },
  wordpress: { name: 'library/wordpress', users: ['www-data:x:33:33'] },
};

/** Debian's packages whose programs are in the images. */
export const PACKAGES = [
  'busybox-static',
  'caddy',
  'docker-registry',
  'mariadb-client-core',
  'mariadb-server-core',
  'mosquitto',
  'mosquitto-clients',
  'nats-server',
  'nginx-light',
  'postgresql',
  'prometheus',
  'rabbitmq-server',
  'redis-server',
  'util-linux',
  'valkey-server',
];

export const APPLETS = (
  '[ basename cat chmod chown cp cut date dirname env expr grep head hostname id kill ln ls mkdir od printf readlink rm sed sh ' +
  'sleep sort stat test touch tr uname wget'
).split(' ');

const POSTGRES = '/usr/lib/postgresql';
const ERLANG = '/usr/lib/erlang';

/** `/usr/lib/postgresql/17` of the newest that is installed. */
function postgresHome(): string {
  const [newest = ''] = readdirSync(POSTGRES).sort((a, b) => Number(b) - Number(a));
  return join(POSTGRES, newest);
}

/** Where the programs of PostgreSQL are. */
export const postgresBin = (): string => join(postgresHome(), 'bin');

const host = (binaries: readonly string[], ...paths: readonly string[]) => ({ host: { binaries, paths } });

function postgresBase(): object {
  const home = postgresHome();
  // Of its modules those that initdb asks for.
  const modules = ['dict_snowball.so', 'plpgsql.so'].map((name) => join(home, 'lib', name));
  const server = ['postgres', 'initdb', 'pg_ctl', 'psql', 'pg_isready'].map((name) => join(home, 'bin', name));
  const shared = `/usr/share/postgresql/${home.slice(POSTGRES.length + 1)}`;
  return host([...server, 'busybox', 'setpriv'], ...modules, shared, '/usr/share/zoneinfo', '/usr/lib/locale/C.utf8');
}

function rabbitmqBase(): object {
  const [runtime = ''] = readdirSync(ERLANG).filter((name) => name.startsWith('erts-'));
  const programs = ['beam.smp', 'epmd', 'erl_child_setup', 'erlexec', 'escript', 'inet_gethost'];
  const binaries = programs.map((name) => join(ERLANG, runtime, 'bin', name));
  // What its module for cryptography is linked with comes along with node.
  return host([...binaries, 'df', 'node', 'busybox', 'setpriv'], ERLANG, '/usr/lib/rabbitmq', '/usr/lib/locale/C.utf8');
}

const BASES: Readonly<Record<string, () => object>> = {
  'caddy-base': () => host(['caddy', 'busybox']),
  'mariadb-base': () => host(['mariadbd', 'mariadb', 'busybox', 'setpriv'], '/usr/share/mariadb'),
  'mariadb-client-base': () => host(['mariadb', 'setpriv']),
  'mosquitto-base': () => host(['mosquitto', 'mosquitto_passwd', 'mosquitto_pub', 'mosquitto_sub', 'busybox']),
  'nats-base': () => host(['nats-server', 'busybox']),
  'nginx-base': () => host(['nginx', 'busybox'], '/etc/nginx/mime.types'),
  'node-base': () => host(['node', 'busybox', 'setpriv']),
  'postgres-base': postgresBase,
  'prometheus-base': () => host(['prometheus', 'busybox']),
  'psql-base': () => host([join(postgresBin(), 'psql'), 'setpriv']),
  'rabbitmq-base': rabbitmqBase,
  'redis-base': () => host(['redis-server', 'redis-cli', 'busybox', 'setpriv']),
  'registry-base': () => host(['docker-registry', 'busybox']),
  'valkey-base': () => host(['valkey-server', 'valkey-cli', 'busybox', 'setpriv']),
};

/** Images of this host that the stand-ins of these folders are built on. */
export function basesOf(directories: readonly string[]): Record<string, object> {
  const texts = directories.map((name) => readFileSync(join(import.meta.dirname, name, 'Dockerfile'), 'utf8'));
  const used = Object.entries(BASES).filter(([name]) =>
    texts.some((text) => text.includes(`FROM ${name}\n`) || text.includes(`--from=${name} `)),
  );
  return Object.fromEntries(used.map(([name, declare]) => [name, declare()]));
}
