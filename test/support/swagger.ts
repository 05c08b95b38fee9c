/**
 * Docker's own description of its API, where `TSD_DOCKER_SWAGGER` names a directory with files such as `v1.51.yaml`: those of
 * api/docs of moby. They are not part of this repository.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const DIRECTORY = process.env.TSD_DOCKER_SWAGGER ?? '';

export const hasSwagger = (version: string): boolean =>
  DIRECTORY !== '' && existsSync(join(DIRECTORY, `v${version}.yaml`));

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly allOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly required?: readonly string[];
  readonly 'x-nullable'?: boolean;
}

interface Swagger {
  readonly definitions: Readonly<Record<string, Schema>>;
  readonly paths: Readonly<
    Record<
      string,
      Readonly<Record<string, { readonly responses: Readonly<Record<string, { readonly schema?: Schema }>> }>>
    >
  >;
}

export class DockerSwagger {
  readonly #document: Swagger;

  constructor(version: string) {
    this.#document = parse(readFileSync(join(DIRECTORY, `v${version}.yaml`), 'utf8')) as Swagger;
  }

  /** What an answer has that its description does not allow, as `path: what`. @param path as the description has it */
  problems(method: 'get' | 'post', path: string, status: number, answer: unknown): string[] {
    const schema = this.#document.paths[path]?.[method]?.responses[String(status)]?.schema;
    if (schema === undefined) return [`${method} ${path} has no ${status}`];
    return [...new Set(this.#check(schema, answer, ''))];
  }

  #resolved(schema: Schema): Schema {
    if (schema.$ref !== undefined) {
      const name = schema.$ref.replace('#/definitions/', '');
      return this.#resolved(this.#document.definitions[name] ?? {});
    }
    if (schema.allOf === undefined) return schema;
    const parts = schema.allOf.map((part) => this.#resolved(part));
    const properties = Object.assign(
      {},
      ...parts.map((part) => part.properties ?? {}),
      schema.properties ?? {},
    ) as Record<string, Schema>;
    return { type: 'object', ...Object.assign({}, ...parts), ...schema, allOf: undefined, properties } as Schema;
  }

  #check(unresolved: Schema, value: unknown, path: string): string[] {
    const schema = this.#resolved(unresolved);
    // The description does not say of most members that they may be null; Go writes it for empty lists and mappings.
    if (value === null)
      return schema.type === 'string' || schema.type === 'integer' || schema.type === 'boolean'
        ? nullOf(schema, path)
        : [];
    switch (schema.type) {
      case 'array':
        if (!Array.isArray(value)) return [`${path}: no list`];
        return value.flatMap((item) => this.#check(schema.items ?? {}, item, `${path}[]`));
      case 'integer':
        return Number.isInteger(value) ? [] : [`${path}: no whole number`];
      case 'number':
      case 'boolean':
      case 'string': {
        if (typeof value !== schema.type) return [`${path}: no ${schema.type}`];
        const isKnown = schema.enum === undefined || schema.enum.includes(value) || value === '';
        return isKnown ? [] : [`${path}: ${String(value)} is none of ${schema.enum?.join(' ')}`];
      }
      case 'object':
        return this.#checkObject(schema, value, path);
      default:
        return schema.properties === undefined ? [] : this.#checkObject(schema, value, path);
    }
  }

  #checkObject(schema: Schema, value: unknown, path: string): string[] {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${path}: no object`];
    const lacking = (schema.required ?? []).filter((name) => !Object.hasOwn(value, name));
    const members = Object.entries(value).flatMap(([name, member]) => {
      const below = path === '' ? name : `${path}.${name}`;
      const known = schema.properties?.[name];
      if (known !== undefined) return this.#check(known, member, below);
      const { additionalProperties } = schema;
      if (typeof additionalProperties === 'object') return this.#check(additionalProperties, member, `${path}.*`);
      return schema.properties === undefined ? [] : [`${below}: not described`];
    });
    return [...lacking.map((name) => `${path}.${name}: required`), ...members];
  }
}

const nullOf = (schema: Schema, path: string): string[] => (schema['x-nullable'] === true ? [] : [`${path}: null`]);
