/** Keys and signatures as people make them: skopeo signs like cosign. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { skopeo } from './registry.ts';

export interface SigningKey {
  /** PEM files. */
  readonly public: string;
  readonly private: string;
  readonly passphrase: string;
}

export function makeSigningKey(directory: string, name: string): SigningKey {
  mkdirSync(directory, { recursive: true });
  const passphrase = join(directory, 'passphrase');
  writeFileSync(passphrase, 'test\n');
  const prefix = join(directory, name);
  execFileSync('skopeo', ['generate-sigstore-key', `--output-prefix=${prefix}`, `--passphrase-file=${passphrase}`], {
    stdio: 'pipe',
  });
  return { public: `${prefix}.pub`, private: `${prefix}.private`, passphrase };
}

/** Puts an image of a registry under another name of it, signed. @param as the name in the signature; its own, else. */
export async function copySigned(from: string, to: string, key: SigningKey, as?: string): Promise<void> {
  const configuration = join(key.public, '..', 'registries.d');
  mkdirSync(configuration, { recursive: true });
  writeFileSync(join(configuration, 'default.yaml'), 'default-docker:\n  use-sigstore-attachments: true\n');
  await skopeo(
    `--registries.d=${configuration}`,
    'copy',
    '--src-tls-verify=false',
    '--dest-tls-verify=false',
    `--sign-by-sigstore-private-key=${key.private}`,
    `--sign-passphrase-file=${key.passphrase}`,
    ...(as === undefined ? [] : [`--sign-identity=${as}`]),
    `docker://${from}`,
    `docker://${to}`,
  );
}
