/** ~/.docker/config.json: logins, shared with Docker and everything that reads its file. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { type Gate, refusedNow, untrusted } from '../../ffi/files/gate.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { DOCKER_HUB } from '../../model/image-reference.ts';

/** Proof of who asks. An identity token is what a token server gives for later logins. */
export type Credentials =
  | { readonly type: 'password'; readonly username: string; readonly password: string }
  | { readonly type: 'identity-token'; readonly token: string };

/** The Authorization header of a user name and password. */
export function basicAuthorization({ username, password }: Extract<Credentials, { type: 'password' }>): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

const entrySchema = z.looseObject({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  identitytoken: z.string().optional(),
});
const fileSchema = z.looseObject({
  auths: z.record(z.string(), entrySchema).optional(),
  credsStore: z.string().optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
});
type AuthFileContent = z.infer<typeof fileSchema>;

const helperAnswer = z.object({ Username: z.string(), Secret: z.string() });

/** The key under which Docker keeps the login of Docker Hub. */
const HUB_KEY = 'https://index.docker.io/v1/';
/** A user name by which a credential helper says that the secret is an identity token. */
const TOKEN_USER = '<token>';
const HELPER_TIMEOUT_MS = 30_000;
/** What helpers print when they know nothing; the exit code is 1, as for failures. */
const NOT_FOUND = /credentials not found/i;

/** Where Docker keeps the file: $DOCKER_CONFIG, else ~/.docker. */
export function authFilePath(env: Readonly<Record<string, string | undefined>>, home: string): string {
  return join(env.DOCKER_CONFIG || join(env.HOME || home, '.docker'), 'config.json');
}

const keyOf = (registry: string): string => (registry === DOCKER_HUB ? HUB_KEY : registry);

/** A key of the file as the registry it is for: schemes and paths appear in many forms. */
function registryOfKey(key: string): string {
  const host = key.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return host === 'index.docker.io' ? DOCKER_HUB : host;
}

export class AuthFile {
  readonly #path: string;
  readonly #gate: Gate | null;

  /** @param gate judges the file before a helper is run that it names; null: whoever wrote it is trusted */
  constructor(path: string, gate: Gate | null = null) {
    this.#path = path;
    this.#gate = gate;
  }

  /** The login for a registry, or null. @throws TSD_REGISTRY_DENIED when the file or a helper is broken, TSD_UNTRUSTED. */
  async get(registry: string): Promise<Credentials | null> {
    const content = this.#read();
    const helper = helperOf(content, registry);
    if (helper !== null) {
      const refusal = this.#gate && refusedNow(this.#path, this.#gate);
      if (refusal !== null) throw untrusted(refusal);
      return askHelper(helper, registry);
    }
    const entry = Object.entries(content.auths ?? {}).find(([key]) => registryOfKey(key) === registry)?.[1];
    if (entry === undefined) return null;
    if (entry.identitytoken) return { type: 'identity-token', token: entry.identitytoken };
    const [username, password] = entry.auth ? decodeAuth(entry.auth) : [entry.username, entry.password];
    return username && password !== undefined ? { type: 'password', username, password } : null;
  }

  /** Keeps a login: with the credential helper of the registry, else in the file. */
  async set(registry: string, credentials: Credentials): Promise<void> {
    const content = this.#read();
    const helper = helperOf(content, registry);
    const [username, secret] =
      credentials.type === 'password' ? [credentials.username, credentials.password] : [TOKEN_USER, credentials.token];
    if (helper !== null) {
      await runHelper(
        helper,
        'store',
        JSON.stringify({ ServerURL: keyOf(registry), Username: username, Secret: secret }),
      );
      this.#write({ ...content, auths: { ...withoutRegistry(content, registry), [keyOf(registry)]: {} } });
      return;
    }
    const auth = { auth: Buffer.from(`${username}:${secret}`).toString('base64') };
    const entry = credentials.type === 'password' ? auth : { identitytoken: credentials.token };
    this.#write({ ...content, auths: { ...withoutRegistry(content, registry), [keyOf(registry)]: entry } });
  }

  /** Forgets a login. @returns whether there was one. */
  async remove(registry: string): Promise<boolean> {
    const content = this.#read();
    const helper = helperOf(content, registry);
    const kept = withoutRegistry(content, registry);
    const listed = Object.keys(kept).length < Object.keys(content.auths ?? {}).length;
    const known = helper === null ? listed : (await askHelper(helper, registry)) !== null;
    if (helper !== null && known) await runHelper(helper, 'erase', keyOf(registry));
    if (listed) this.#write({ ...content, auths: kept });
    return known || listed;
  }

  #read(): AuthFileContent {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return {};
      throw broken(`cannot read ${this.#path}: ${(cause as Error).message}`, cause);
    }
    try {
      return fileSchema.parse(JSON.parse(text));
    } catch (cause) {
      const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : 'it is not JSON';
      throw broken(`${this.#path}: ${reason}`, cause);
    }
  }

  #write(content: AuthFileContent): void {
    const temporary = `${this.#path}.${process.pid}.tmp`;
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      writeFileSync(temporary, `${JSON.stringify(content, null, '\t')}\n`, { mode: 0o600 });
      // The mode above is not applied to a file that an interrupted write left.
      chmodSync(temporary, 0o600);
      renameSync(temporary, this.#path);
    } catch (cause) {
      rmSync(temporary, { force: true });
      throw broken(`cannot write ${this.#path}: ${(cause as Error).message}`, cause);
    }
  }
}

function withoutRegistry(content: AuthFileContent, registry: string): NonNullable<AuthFileContent['auths']> {
  return Object.fromEntries(Object.entries(content.auths ?? {}).filter(([key]) => registryOfKey(key) !== registry));
}

function helperOf({ credHelpers, credsStore }: AuthFileContent, registry: string): string | null {
  const own = Object.entries(credHelpers ?? {}).find(([key]) => registryOfKey(key) === registry)?.[1];
  return own ?? (credsStore || null);
}

function decodeAuth(auth: string): [string, string] {
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return [text.slice(0, Math.max(0, colon)), text.slice(colon + 1).replace(/\0+$/, '')];
}

async function askHelper(helper: string, registry: string): Promise<Credentials | null> {
  const answer = await runHelper(helper, 'get', keyOf(registry));
  if (answer === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(answer);
  } catch {
    value = null;
  }
  const result = helperAnswer.safeParse(value);
  if (!result.success) throw broken(`docker-credential-${helper} answered what is no login`);
  const { Username: username, Secret } = result.data;
  if (username === TOKEN_USER) return { type: 'identity-token', token: Secret };
  return { type: 'password', username, password: Secret };
}

/** Runs `docker-credential-<helper>`; null when it knows no login. The protocol is of docker-credential-helpers. */
function runHelper(helper: string, verb: 'get' | 'store' | 'erase', input: string): Promise<string | null> {
  const program = `docker-credential-${helper}`;
  if (!/^[A-Za-z0-9._-]+$/.test(helper))
    throw broken(`${JSON.stringify(helper)} is not the name of a credential helper`);
  return new Promise((resolve, reject) => {
    const child = execFile(program, [verb], { timeout: HELPER_TIMEOUT_MS }, (error, stdout) => {
      if (error === null) resolve(stdout);
      else if (NOT_FOUND.test(stdout)) resolve(null);
      else reject(broken(`${program} ${verb}: ${stdout.trim() || error.message}`, error));
    });
    // A helper that ends without reading is judged by its exit.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

function broken(message: string, cause?: unknown): TsdError {
  return new TsdError('TSD_REGISTRY_DENIED', message, { step: 'read logins', class: 'precondition', cause });
}
