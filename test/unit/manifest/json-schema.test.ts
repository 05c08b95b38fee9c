import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { manifestJsonSchema } from '../../../src/manifest/json-schema.ts';

const repository = join(import.meta.dirname, '../../..');

interface Properties {
  readonly [name: string]: { readonly [key: string]: unknown };
}

test('the committed schema is current', () => {
  const committed = JSON.parse(readFileSync(join(repository, 'manifests/schema/v1.json'), 'utf8'));
  expect(committed).toEqual(JSON.parse(JSON.stringify(manifestJsonSchema())));
});

test('a field has its text, default, example, change class and forms', () => {
  const { properties } = manifestJsonSchema() as {
    properties: { containers: { additionalProperties: { properties: Properties } } };
  };
  const { restart, ports } = properties.containers.additionalProperties.properties;
  expect(restart).toMatchObject({ default: 'no', examples: ['always'], 'x-change': 'in-place' });
  expect(ports).toMatchObject({ type: 'array', items: { type: ['string', 'number'] }, default: [] });
});
