/** What a client changed of a container of a manifest, as the record keeps it. */
import type { ContainerOverride } from '../model/imperative/override.ts';
import { type GoValue, goAny, goInt, goPointer, goString, goStruct } from './files/go-json.ts';

export const CONTAINER_OVERRIDE = goStruct({
  Of: goString,
  Resources: goAny,
  Restart: goAny,
  Client: goString,
  Uid: goPointer(goInt),
  At: goString,
});

type OverrideJson = GoValue<typeof CONTAINER_OVERRIDE>;

export function encodeOverride(override: ContainerOverride | undefined): OverrideJson | null {
  if (override === undefined) return null;
  const { of: Of, resources, restart, client: Client, uid: Uid, at: At } = override;
  return {
    Of,
    // Plain data; an interface has no index signature.
    Resources: resources as unknown as OverrideJson['Resources'],
    Restart: restart as unknown as OverrideJson['Restart'],
    Client,
    Uid,
    At,
  };
}

/** Sections of a specification are stored in no other form: the compiler knows no JSON as one. */
export function decodeOverride(json: OverrideJson | null): { readonly override?: ContainerOverride } {
  if (json === null) return {};
  const { Of: of, Resources, Restart, Client: client, Uid: uid, At: at } = json;
  const resources = Resources as unknown as ContainerOverride['resources'];
  const restart = Restart as unknown as ContainerOverride['restart'];
  return { override: { of, resources, restart, client, uid, at } };
}
