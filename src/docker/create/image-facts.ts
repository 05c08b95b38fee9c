/** The parts of an image's configuration that a container takes over. */
import type { z } from 'zod';
import { names, struct, text, textMap, texts, whole, words, wordsOrNull } from './go-json.ts';

const configuration = struct({
  config: struct({
    Entrypoint: wordsOrNull(),
    Cmd: words(),
    Env: texts(),
    ExposedPorts: names(),
    Volumes: names(),
    Labels: textMap(),
    StopSignal: text(),
    Shell: words(),
    Healthcheck: struct({
      Test: words(),
      Interval: whole(),
      Timeout: whole(),
      StartPeriod: whole(),
      StartInterval: whole(),
      Retries: whole(),
    }).optional(),
  }).prefault({}),
});

export type ImageFacts = z.output<typeof configuration>['config'];
export type HealthcheckBody = NonNullable<ImageFacts['Healthcheck']>;

/** @param configJson as the store keeps it; what is of another form says nothing */
export function imageFacts(configJson: string): ImageFacts {
  let json: unknown = {};
  try {
    json = JSON.parse(configJson);
  } catch {
    // Images of old graphs have none.
  }
  return configuration.safeParse(json).data?.config ?? configuration.parse({}).config;
}
