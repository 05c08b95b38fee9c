/** docs/manifest.md from the JSON Schema of manifests. */
import { stringify } from 'yaml';

const KINDS = [
  ['containers', 'Containers', 'A program of an image, run and kept running.', true],
  [
    'images',
    'Images',
    'An image and where it comes from: exactly one of `pull`, `build`, `archive`, `layout`, `rootfs` and `host`.',
    true,
  ],
  ['volumes', 'Volumes', 'Data that outlives the containers that use it. `pgdata:` or `pgdata: {}` is enough.', false],
  ['networks', 'Networks', 'A bridge of its own, with addresses and rules. `back:` or `back: {}` is enough.', false],
];

const INTRODUCTION = `# Manifests

<!-- Generated from the schema by \`npm run generate\`; edit the doc texts in src/model/kinds/ instead. -->

A manifest is a YAML 1.2 file. One file is one *app*: its name is the file's name without \`.yaml\`, unless a line
\`app: NAME\` says otherwise. A file may hold several YAML documents; together they are the one app.
\`follow: true\` lets an app that was applied follow its files; docs/generations.md says what that means.

\`\`\`yaml
# blog.yaml
images:
  app: { host: [node], config: { command: [node, /srv/server.js] } }
volumes:
  data:
networks:
  back: { subnet: 10.80.0.0/24 }
containers:
  web:
    image: app
    network: back
    volumes: [ data:/data, ./server.js:/srv/server.js:ro ]
    ports: [ "127.0.0.1:8080:80" ]
    restart: always
\`\`\`

- Names are lower-case letters, digits and hyphens, at most 63. A reference is looked up in the own app; \`app/name\`
  reaches into another one.
- An unknown field is an error. All errors of a file are reported at once, as \`file:line:column\`; until they are fixed the last good
  revision of the file stays in force.
- Relative paths start at the manifest's directory. The content of env files, of secrets and of regular files bound
  read-only (up to 1 MiB) belongs to the container: when it changes, the container is restarted.
- A file on a filesystem that another server answers for (NFS, FUSE, 9p and the like) may be one that does not answer. It is
  looked at beside everything else; after a second its container waits and says for which filesystem, and no other does.
- Sizes are written as \`64k\`, \`256MiB\` or \`1.5g\` (powers of 1024), durations as \`500ms\`, \`30s\` or \`1m30s\`.
- Where a field holds text, numbers and words are taken as they are written: \`VERSION: 1.10\` is \`1.10\`.

Each field says what a change of it leads to: **in place** changes the running container, **restart** stops and starts it
with the same files and address, **recreate** makes a new one. Volumes are kept in all cases.
`;

const CHANGES = { 'in-place': 'in place', restart: 'restart', recreate: 'recreate' };

const unique = (items) => [...new Set(items)];

/** The form of a value in words. */
function form(schema) {
  if (schema.const === '') return 'nothing';
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(', ');
  const alternatives = schema.anyOf ?? schema.oneOf?.filter((one) => one.type);
  if (alternatives) return unique(alternatives.map(form)).join(', or ');
  if (Array.isArray(schema.type)) return 'text';
  if (schema.type === 'array') return `list of ${form(schema.items)}`;
  if (schema.type === 'object') return objectForm(schema);
  return (
    { string: 'text', integer: 'whole number', number: 'number', boolean: '`true` or `false`' }[schema.type] ?? 'any'
  );
}

function objectForm({ properties, additionalProperties }) {
  if (properties)
    return `mapping of ${Object.keys(properties)
      .map((name) => `\`${name}\``)
      .join(', ')}`;
  return typeof additionalProperties === 'object' ? `mapping of names to ${form(additionalProperties)}` : 'mapping';
}

/** One line of YAML. */
function yamlLine(name, value) {
  const [outer, inner] = name.split('.');
  const body = inner === undefined ? value : { [inner]: value };
  return `${outer}: ${stringify(body, { collectionStyle: 'flow', lineWidth: 0 }).trim()}`;
}

function defaultText(schema, required) {
  if (required) return 'required';
  return schema.default === undefined ? 'optional' : `default \`${JSON.stringify(schema.default)}\``;
}

function field(name, schema, required, withChange, level) {
  const facts = [form(schema), defaultText(schema, required)];
  if (withChange && schema['x-change']) facts.push(`a change means **${CHANGES[schema['x-change']]}**`);
  const lines = [`${'#'.repeat(level)} ${name}`, '', schema.description, '', `${facts.join(' · ')}`, ''];
  for (const example of schema.examples ?? []) lines.push('```yaml', yamlLine(name, example), '```', '');
  return lines.join('\n');
}

/** The mapping with documented fields inside a field, where there is one. */
const nested = (schema) => (Object.values(schema.properties ?? {}).some((inner) => inner.description) ? schema : null);

function section(section, title, introduction, withChange, schema) {
  const value = schema.properties[section].additionalProperties;
  const { properties, required = [] } = value.anyOf?.find((one) => one.type === 'object') ?? value;
  const parts = [`## ${title}\n\n${introduction}\n`];
  for (const [name, inner] of Object.entries(properties)) {
    parts.push(field(name, inner, required.includes(name), withChange, 3));
    for (const [member, leaf] of Object.entries(nested(inner)?.properties ?? {})) {
      parts.push(field(`${name}.${member}`, leaf, false, withChange, 4));
    }
  }
  return parts.join('\n');
}

export function manifestReference(schema) {
  return [INTRODUCTION, ...KINDS.map((kind) => section(...kind, schema))].join('\n');
}
