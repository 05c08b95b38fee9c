import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { changeClasses, fieldMeta } from '../../../src/model/field.ts';
import { KIND_SCHEMAS } from '../../../src/model/kinds/kinds.ts';
import { KINDS, type Kind } from '../../../src/model/resource.ts';

const fieldsOf = (kind: Kind): [string, z.ZodType][] => {
  const { fields, nested } = KIND_SCHEMAS[kind];
  const inner = Object.entries(nested).flatMap(([outer, object]) =>
    Object.entries(object.shape).map(
      ([name, schema]) => [`${outer}.${name}`, schema as z.ZodType] as [string, z.ZodType],
    ),
  );
  return [...(Object.entries(fields.shape) as [string, z.ZodType][]), ...inner];
};

/** Members of a normalised spec whose name is not that of their field. */
const SOURCES = ['pull', 'build', 'policy', 'platform', 'archive', 'layout', 'rootfs', 'host'];
const RENAMED: Readonly<Record<string, string>> = {
  'container stopTimeout': 'stopTimeoutMs',
  ...Object.fromEntries(SOURCES.map((name) => [`image ${name}`, 'source'])),
};

/** Change class of each member of a normalised spec, by the member's name. */
const specChangeClasses = (kind: Kind) => {
  const classes = Object.entries(changeClasses(KIND_SCHEMAS[kind].fields));
  return Object.fromEntries(classes.map(([name, change]) => [RENAMED[`${kind} ${name}`] ?? name, change]));
};

describe.each(KINDS)('every field of a %s', (kind) => {
  test.each(fieldsOf(kind))('%s is documented, with a valid example', (_, schema) => {
    const meta = fieldMeta(schema);
    expect(meta?.doc).toMatch(/^\S.*[.`]$/s);
    expect(schema.safeParse(meta?.example).error?.issues).toBeUndefined();
  });
});

test('members of the normalised container have change classes', () => {
  const classes = specChangeClasses('container');
  expect(Object.keys(classes).sort()).toEqual(Object.keys(KIND_SCHEMAS.container.schema.parse({ image: 'x' })).sort());
  const names = (wanted: string) => Object.keys(classes).filter((name) => classes[name] === wanted);
  expect(names('in-place')).toMatchInlineSnapshot(`
    [
      "labels",
      "dependsOn",
      "onDependencyRestart",
      "ports",
      "networks",
      "address",
      "restart",
      "health",
      "resources",
      "bandwidth",
      "stopSignal",
      "stopTimeoutMs",
      "update",
      "onChange",
      "drift",
    ]
  `);
  expect(names('recreate')).toMatchInlineSnapshot(`
    [
      "image",
      "containerName",
      "volumes",
      "volumesFrom",
      "network",
      "capabilities",
      "privileged",
      "readOnly",
      "noNewPrivileges",
      "devices",
    ]
  `);
});

test.each(KINDS)('a normalised %s has all members', (kind) => {
  const minimal = { image: { rootfs: './r' }, volume: {}, network: {}, container: { image: 'x' } }[kind];
  const spec = KIND_SCHEMAS[kind].schema.parse(minimal);
  expect(JSON.parse(JSON.stringify(spec))).toEqual(spec);
  expect(Object.keys(spec).sort()).toEqual(Object.keys(specChangeClasses(kind)).sort());
});
