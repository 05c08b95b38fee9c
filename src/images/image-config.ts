import { createHash } from 'node:crypto';
import { z } from 'zod';
import { TsdError } from '../model/errors/errors.ts';
import { goArchitecture } from '../model/platform.ts';
import type { DeclaredImageConfig, ImageConfig } from './image.ts';

export const sha256Hex = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');

const EPOCH = '1970-01-01T00:00:00Z';
const DIGEST = /^sha256:([0-9a-f]{64})$/;

/** `sha256:<hex>` as its hex part. */
export const digestSchema = z
  .string()
  .regex(DIGEST, 'only sha256 digests are supported')
  .transform((text) => text.slice('sha256:'.length));

const strings = z.array(z.string()).nullish();
const stringSet = z.record(z.string(), z.unknown()).nullish();

/** The parts of an OCI or Docker image configuration that matter here; Go writes null for what is absent. */
const configSchema = z.object({
  architecture: z.string(),
  os: z.string(),
  created: z.string().nullish(),
  config: z
    .object({
      User: z.string().nullish(),
      ExposedPorts: stringSet,
      Env: strings,
      Entrypoint: strings,
      Cmd: strings,
      Volumes: stringSet,
      WorkingDir: z.string().nullish(),
      Labels: z.record(z.string(), z.string()).nullish(),
      StopSignal: z.string().nullish(),
    })
    .nullish(),
  rootfs: z.object({ type: z.literal('layers'), diff_ids: z.array(digestSchema).nullish() }),
});

interface ParsedImageConfig {
  readonly config: ImageConfig;
  readonly architecture: string;
  readonly os: string;
  readonly created: string;
  readonly diffIds: readonly string[];
}

/** Checks JSON against a schema. @throws TSD_IMAGE_INVALID with the place of what is wrong. */
export function parseJson<T>(schema: z.ZodType<T>, json: string, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new TsdError('TSD_IMAGE_INVALID', `${what} is not JSON: ${(cause as Error).message}`, {
      step: `read ${what}`,
    });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new TsdError('TSD_IMAGE_INVALID', `${what}: ${z.prettifyError(result.error)}`, { step: `read ${what}` });
}

/** @throws TSD_IMAGE_INVALID. */
export function parseImageConfig(json: string): ParsedImageConfig {
  const { config, architecture, os, created, rootfs } = parseJson(configSchema, json, 'image configuration');
  return {
    config: {
      env: config?.Env ?? [],
      entrypoint: config?.Entrypoint ?? null,
      cmd: config?.Cmd ?? null,
      workingDir: config?.WorkingDir ?? '',
      user: config?.User ?? '',
      exposedPorts: Object.keys(config?.ExposedPorts ?? {}).sort(),
      volumes: Object.keys(config?.Volumes ?? {}).sort(),
      labels: config?.Labels ?? {},
      stopSignal: config?.StopSignal || null,
    },
    architecture,
    os,
    created: created ?? EPOCH,
    diffIds: rootfs.diff_ids ?? [],
  };
}

const asSet = (names: readonly string[]): Record<string, object> =>
  Object.fromEntries(names.toSorted().map((name) => [name, {}]));

/** Configuration of a one-layer image made here. The same input always gives the same text. */
export function buildImageConfig(declared: DeclaredImageConfig, diffId: string): string {
  const ports = (declared.expose ?? []).map((port) => (port.includes('/') ? port : `${port}/tcp`));
  const labels = Object.entries(declared.labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const config = {
    ...(declared.user !== undefined && { User: declared.user }),
    ...(ports.length > 0 && { ExposedPorts: asSet(ports) }),
    Env: Object.entries(declared.env ?? {}).map(([key, value]) => `${key}=${value}`),
    ...(declared.entrypoint !== undefined && { Entrypoint: declared.entrypoint }),
    ...(declared.command !== undefined && { Cmd: declared.command }),
    ...(declared.volumes !== undefined && declared.volumes.length > 0 && { Volumes: asSet(declared.volumes) }),
    ...(declared.workingDir !== undefined && { WorkingDir: declared.workingDir }),
    ...(labels.length > 0 && { Labels: Object.fromEntries(labels) }),
    ...(declared.stopSignal !== undefined && { StopSignal: declared.stopSignal }),
  };
  return JSON.stringify({
    created: EPOCH,
    architecture: goArchitecture(process.arch),
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: [`sha256:${diffId}`] },
  });
}
