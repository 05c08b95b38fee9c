/** How far a stage is, and the image it would be. */
import { z } from 'zod';
import { goArchitecture } from '../../model/platform.ts';
import { parseJson } from '../image-config.ts';
import type { RawConfig, StageConfig } from './config.ts';
import type { BaseImage, BuiltLayer } from './host.ts';

export interface HistoryEntry {
  readonly created: string;
  readonly created_by: string;
  readonly comment: string;
  readonly empty_layer?: true;
}

export interface StageState extends StageConfig {
  /** Architecture, operating system and what else identifies the platform. */
  readonly platform: RawConfig;
  readonly layers: readonly BuiltLayer[];
  readonly history: readonly unknown[];
  /** RFC 3339. */
  readonly created: string;
}

const EPOCH = '1970-01-01T00:00:00Z';
const PLATFORM_KEYS = ['architecture', 'variant', 'os', 'os.version', 'os.features'];

const imageSchema = z.looseObject({
  config: z.record(z.string(), z.unknown()).nullish(),
  history: z.array(z.unknown()).nullish(),
  created: z.string().nullish(),
  author: z.string().nullish(),
});

/** The empty beginning: FROM scratch. */
export function scratchState(): StageState {
  return {
    platform: { architecture: goArchitecture(process.arch), os: 'linux' },
    config: {},
    author: '',
    ownCommand: false,
    layers: [],
    history: [],
    created: EPOCH,
  };
}

export function stateOfImage({ configJson, layers }: BaseImage): StageState {
  const image = parseJson(imageSchema, configJson, 'image configuration');
  const entries = image.history ?? [];
  const making = entries.filter((entry) => (entry as { empty_layer?: boolean }).empty_layer !== true);
  return {
    platform: Object.fromEntries(PLATFORM_KEYS.filter((key) => key in image).map((key) => [key, image[key]])),
    config: image.config ?? {},
    author: image.author ?? '',
    ownCommand: false,
    layers,
    // Where its maker did not say, each layer is a step.
    history: making.length === layers.length ? entries : layers.map(() => ({})),
    created: image.created ?? EPOCH,
  };
}

/** The configuration of the image that this stage is. */
export function configJsonOf({ platform, config, author, layers, history, created }: StageState): string {
  return JSON.stringify({
    created,
    ...(author !== '' && { author }),
    ...platform,
    config,
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => `sha256:${diffId}`) },
    history,
  });
}
