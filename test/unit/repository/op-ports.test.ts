/** What an op touches is said by the few ports that it takes. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';

const OPS = 'src/reconcile/ops';
const MOST_PORTS = 9;

const paths = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(directory, name));

/** Interfaces and aliases of ops by name; a name that two files declare stands for both. */
const declared = new Map<string, ts.Node[]>();
for (const path of paths(OPS)) {
  const { statements } = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest);
  for (const statement of statements) {
    if (!ts.isInterfaceDeclaration(statement) && !ts.isTypeAliasDeclaration(statement)) continue;
    declared.set(statement.name.text, [...(declared.get(statement.name.text) ?? []), statement]);
  }
}

const nameOf = (node: ts.ExpressionWithTypeArguments | ts.TypeReferenceNode): string =>
  ts.isTypeReferenceNode(node) ? (node.typeName as ts.Identifier).text : (node.expression as ts.Identifier).text;

const literals = (node: ts.TypeNode | undefined): string[] => {
  if (node === undefined) return [];
  if (ts.isUnionTypeNode(node)) return node.types.flatMap(literals);
  return ts.isLiteralTypeNode(node) && ts.isStringLiteral(node.literal) ? [node.literal.text] : [];
};

/** Names of the ports of a type. */
function portsOf(node: ts.Node): Set<string> {
  if (ts.isInterfaceDeclaration(node)) {
    const own = node.members.map((member) => (member.name as ts.Identifier).text);
    const inherited = (node.heritageClauses ?? []).flatMap(({ types }) => types.flatMap((type) => [...portsOf(type)]));
    return new Set([...own, ...inherited]);
  }
  if (ts.isTypeAliasDeclaration(node)) return portsOf(node.type);
  if (ts.isIntersectionTypeNode(node)) return new Set(node.types.flatMap((type) => [...portsOf(type)]));
  if (!ts.isExpressionWithTypeArguments(node) && !ts.isTypeReferenceNode(node)) {
    throw new Error(`no port type: ${ts.SyntaxKind[node.kind]}`);
  }
  const [of, names] = node.typeArguments ?? [];
  if (nameOf(node) === 'Pick') return new Set(literals(names));
  if (nameOf(node) === 'Omit' && of) return new Set([...portsOf(of)].filter((name) => !literals(names).includes(name)));
  const found = declared.get(nameOf(node));
  if (!found) throw new Error(`${nameOf(node)} is not declared in ${OPS}`);
  return new Set(found.flatMap((type) => [...portsOf(type)]));
}

const table = declared.get('PortsByOp')?.[0] as ts.InterfaceDeclaration;
const ops = table.members.map((member) => {
  const { name, type } = member as ts.PropertySignature;
  return [(name as ts.StringLiteral).text, [...portsOf(type as ts.TypeNode)]] as const;
});

test.each(ops)(`%s takes at most ${MOST_PORTS} ports`, (_op, ports) => {
  expect(ports.length).toBeGreaterThan(0);
  expect(ports.length, ports.join(', ')).toBeLessThanOrEqual(MOST_PORTS);
});
