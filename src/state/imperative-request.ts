/** What was asked for through the Docker API, as records of resources keep it. */
import type { ImperativeRequest } from '../model/imperative/request.ts';
import { type GoValue, goAny, goBool, goInt, goPointer, goString, goStruct } from './files/go-json.ts';

export const IMPERATIVE_REQUEST = goStruct({
  Body: goAny,
  Client: goString,
  Uid: goPointer(goInt),
  AutoRemove: goBool,
  At: goString,
});

export type RequestJson = GoValue<typeof IMPERATIVE_REQUEST>;

export function encodeRequest(request: ImperativeRequest | undefined): RequestJson | null {
  if (request === undefined) return null;
  const { body: Body, client: Client, uid: Uid, autoRemove: AutoRemove, at: At } = request;
  return { Body, Client, Uid, AutoRemove, At };
}

/** Nothing for what a manifest declared. */
export function decodeRequest(json: RequestJson | null): { readonly request?: ImperativeRequest } {
  if (json === null) return {};
  const { Body: body, Client: client, Uid: uid, AutoRemove: autoRemove, At: at } = json;
  return { request: { body, client, uid, autoRemove, at } };
}
