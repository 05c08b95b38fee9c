/**
 * Specs in records: the normalised form, which is plain data, and stored in no other form. The compiler knows JSON by its
 * shape alone and no spec from it, so this is the one place where one is taken for the other.
 */

import type { JsonValue } from '../../model/json.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import type { NetworkSpec } from '../../model/kinds/network.ts';

// A specification is plain data; an interface has no index signature, so types do not show that it is JSON.
interface Written {
  readonly written: JsonValue;
}

export function writtenSpec(spec: ContainerSpec | NetworkSpec): JsonValue {
  return spec as unknown as JsonValue;
}

export function containerSpecOf({ written }: Written): ContainerSpec {
  return written as unknown as ContainerSpec;
}

export function networkSpecOf({ written }: Written): NetworkSpec {
  return written as unknown as NetworkSpec;
}
