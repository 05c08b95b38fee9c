import type { Database } from 'better-sqlite3';
import { TsdError } from '../../model/errors/errors.ts';
import { copyBefore } from './copy-before.ts';

/** Times are Unix milliseconds. A migration is never changed after a release: its tables are on people's disks. @internal */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE texts (sha256 TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE source_revisions (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('watched', 'applied', 'api')),
    origin TEXT NOT NULL,
    base_dir TEXT NOT NULL,
    revision INTEGER NOT NULL,
    sha256 TEXT NOT NULL REFERENCES texts (sha256),
    recorded_at INTEGER NOT NULL,
    UNIQUE (kind, origin, revision)
  ) STRICT;

  CREATE TABLE generations (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    created_at INTEGER NOT NULL,
    cause TEXT NOT NULL,
    pins TEXT NOT NULL
  ) STRICT;
  CREATE TABLE generation_sources (
    n INTEGER NOT NULL REFERENCES generations (n) ON DELETE CASCADE,
    source_revision INTEGER NOT NULL REFERENCES source_revisions (id),
    PRIMARY KEY (n, source_revision)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX generation_sources_by_revision ON generation_sources (source_revision);

  CREATE TABLE ops (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    reconcile_id TEXT NOT NULL,
    op_id TEXT NOT NULL,
    op TEXT NOT NULL,
    key TEXT NOT NULL,
    cause TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    status TEXT NOT NULL CHECK (status IN ('running', 'succeeded', 'failed', 'skipped', 'interrupted')),
    error TEXT
  ) STRICT;
  CREATE INDEX ops_by_key ON ops (key, id);
  CREATE INDEX ops_running ON ops (id) WHERE status = 'running';

  CREATE TABLE failures (
    key TEXT PRIMARY KEY,
    class TEXT NOT NULL,
    message TEXT NOT NULL,
    spec_hash TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    retry_at_boot_ms REAL,
    boot_id TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE address_leases (
    network TEXT NOT NULL,
    container TEXT NOT NULL,
    address TEXT NOT NULL,
    PRIMARY KEY (network, container),
    UNIQUE (network, address)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX address_leases_by_container ON address_leases (container);
  CREATE TABLE address_cursors (network TEXT PRIMARY KEY, last TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE port_leases (
    container TEXT NOT NULL,
    container_port INTEGER NOT NULL,
    protocol TEXT NOT NULL CHECK (protocol IN ('tcp', 'udp')),
    host_ip TEXT NOT NULL,
    host_port INTEGER NOT NULL,
    PRIMARY KEY (container, container_port, protocol, host_ip),
    UNIQUE (protocol, host_ip, host_port)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE networks (
    key TEXT PRIMARY KEY,
    spec_hash TEXT NOT NULL,
    written TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    bridge TEXT NOT NULL UNIQUE,
    subnet TEXT NOT NULL,
    gateway TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE images (
    key TEXT PRIMARY KEY,
    spec_hash TEXT NOT NULL,
    image_id TEXT NOT NULL,
    source_fingerprint TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE approvals (subject TEXT PRIMARY KEY, granted_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
  // Changes of a generation are stored with it; those of earlier ones are unknown.
  `
  ALTER TABLE generations ADD COLUMN changes TEXT NOT NULL DEFAULT '{"files":[],"resources":[]}';

  CREATE TABLE timeline (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    key TEXT,
    generation INTEGER NOT NULL,
    what TEXT NOT NULL,
    ok INTEGER NOT NULL CHECK (ok IN (0, 1)),
    cause TEXT NOT NULL,
    message TEXT NOT NULL,
    source TEXT,
    run INTEGER,
    log TEXT
  ) STRICT;
  CREATE INDEX timeline_by_key ON timeline (key, id);
  `,
  `
  CREATE TABLE health (container_id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  // Which image a declaration came to mean in a generation, and when an image was last needed.
  `
  CREATE TABLE generation_images (
    n INTEGER NOT NULL,
    key TEXT NOT NULL,
    image_id TEXT NOT NULL,
    PRIMARY KEY (key, n)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO generation_images SELECT coalesce((SELECT max(n) FROM generations), 0), key, image_id FROM images;
  CREATE TABLE image_use (image_id TEXT PRIMARY KEY, used_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
  'CREATE TABLE updates (key TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;',
  // The inputs of earlier builds are unknown.
  'ALTER TABLE images ADD COLUMN bases TEXT;',
  // Of earlier failures it is not known which op failed.
  'ALTER TABLE failures ADD COLUMN op TEXT;',
  // Nor what is to be done about them.
  'ALTER TABLE failures ADD COLUMN hint TEXT;',
  // Of earlier generations it is not known what their files held.
  `
  CREATE TABLE generation_contents (
    n INTEGER PRIMARY KEY REFERENCES generations (n) ON DELETE CASCADE,
    contents TEXT NOT NULL
  ) STRICT;
  `,
  // Apps that wait for a person, because of what was found of their declarations at a start.
  'CREATE TABLE held_apps (app TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;',
  // Of earlier entries it is not known which container had the key.
  'ALTER TABLE timeline ADD COLUMN container_id TEXT; ALTER TABLE timeline ADD COLUMN image TEXT;',
  // Networks that are there stay as they are: bridges with IPv4, and what a spec leaves open means for them what it meant.
  `
  ALTER TABLE networks RENAME TO earlier_networks;
  CREATE TABLE networks (
    key TEXT PRIMARY KEY,
    spec_hash TEXT NOT NULL,
    written TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    driver TEXT NOT NULL,
    interface TEXT NOT NULL UNIQUE,
    ipv4 TEXT,
    ipv6 TEXT,
    defaults TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  INSERT INTO networks SELECT key, spec_hash, written, schema_version, 'bridge', bridge,
    json_object('subnet', subnet, 'gateway', gateway), NULL,
    '{"ipv6":false,"metadata":true,"directAccess":false}'
    FROM earlier_networks;
  DROP TABLE earlier_networks;
  `,
  // A container has an address of each family on each of its networks; so far there was IPv4.
  `
  CREATE TABLE leases (
    network TEXT NOT NULL,
    container TEXT NOT NULL,
    family INTEGER NOT NULL CHECK (family IN (4, 6)),
    address TEXT NOT NULL,
    PRIMARY KEY (network, container, family),
    UNIQUE (network, address)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO leases SELECT network, container, 4, address FROM address_leases;
  DROP TABLE address_leases;
  ALTER TABLE leases RENAME TO address_leases;
  CREATE INDEX address_leases_by_container ON address_leases (container);
  CREATE TABLE cursors (
    network TEXT NOT NULL,
    family INTEGER NOT NULL CHECK (family IN (4, 6)),
    last TEXT NOT NULL,
    PRIMARY KEY (network, family)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO cursors SELECT network, 4, last FROM address_cursors;
  DROP TABLE address_cursors;
  ALTER TABLE cursors RENAME TO address_cursors;
  `,
  // Ports of SCTP may be chosen too.
  `
  CREATE TABLE ports (
    container TEXT NOT NULL,
    container_port INTEGER NOT NULL,
    protocol TEXT NOT NULL CHECK (protocol IN ('tcp', 'udp', 'sctp')),
    host_ip TEXT NOT NULL,
    host_port INTEGER NOT NULL,
    PRIMARY KEY (container, container_port, protocol, host_ip),
    UNIQUE (protocol, host_ip, host_port)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO ports SELECT container, container_port, protocol, host_ip, host_port FROM port_leases;
  DROP TABLE port_leases;
  ALTER TABLE ports RENAME TO port_leases;
  `,
  // What a client of the Docker API asked for, of networks that no manifest declares.
  'ALTER TABLE networks ADD COLUMN request TEXT',
];

/**
 * Brings a database to the newest schema, in one transaction a step. One with another schema is copied first.
 * @throws TsdError TSD_VERSION_MISMATCH for one that a later tsdocker wrote; it is not touched.
 */
export function migrate(database: Database, migrations: readonly string[] = MIGRATIONS): void {
  const version = database.pragma('user_version', { simple: true }) as number;
  if (version > migrations.length) {
    throw new TsdError(
      'TSD_VERSION_MISMATCH',
      `${database.name} has schema ${version}; this tsdocker knows up to ${migrations.length}`,
      { hint: 'Install the tsdocker version that wrote it, or a later one.' },
    );
  }
  if (version > 0 && version < migrations.length && !database.memory) copyBefore(database, version);
  for (const [index, sql] of migrations.entries()) {
    if (index < version) continue;
    const step = database.transaction(() => {
      database.exec(sql);
      database.pragma(`user_version = ${index + 1}`);
    });
    step.immediate();
  }
}
