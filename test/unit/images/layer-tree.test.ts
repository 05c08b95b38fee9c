import { describe, expect, it } from 'vitest';
import { type LayerNode, LayerTree, newNode, pathComponents } from '../../../src/images/unpack/layer-tree.ts';

/** A tree of directories (objects) and symlinks (text). */
interface Shape {
  readonly [name: string]: Shape | string;
}

function fill(node: LayerNode, shape: Shape): void {
  for (const [name, value] of Object.entries(shape)) {
    const child = newNode(typeof value === 'string' ? 'symlink' : 'directory', true);
    node.children.set(name, child);
    if (typeof value === 'string') child.link = value;
    else fill(child, value);
  }
}

function treeOf(shape: Shape): LayerTree {
  const tree = new LayerTree('/layer', false);
  fill(tree.root, shape);
  return tree;
}

describe('pathComponents', () => {
  it.each([
    ['a/b', ['a', 'b']],
    ['/a//b/', ['a', 'b']],
    ['./a/./b', ['a', 'b']],
    ['a/../b', ['b']],
    ['./', []],
    ['...', ['...']],
  ])('%s', (path, components) => {
    expect(pathComponents(path)).toEqual(components);
  });

  it.each(['..', '../x', 'a/../../x', '/../etc/passwd', 'a\0b', 'n'.repeat(256)])('refuses %j', (path) => {
    expect(() => pathComponents(path)).toThrow(expect.objectContaining({ code: 'TSD_LAYER_HOSTILE' }));
  });
});

describe('LayerTree.resolve', () => {
  const shape: Shape = {
    usr: { lib: { x: {} } },
    lib: 'usr/lib',
    absolute: '/usr/lib',
    up: '../../../../usr',
    chain: 'link1',
    link1: 'link2/x',
    link2: '/lib',
    loop1: 'loop2',
    loop2: 'loop1',
    dots: 'usr/lib/../lib/./x',
  };
  it.each([
    ['usr/lib', 'usr/lib'],
    ['lib/x', 'usr/lib/x'],
    ['absolute/x', 'usr/lib/x'],
    ['up/lib', 'usr/lib'],
    ['chain', 'usr/lib/x'],
    ['dots', 'usr/lib/x'],
    ['lib/../..', ''],
  ])('%s leads to %s', (path, result) => {
    expect(treeOf(shape).resolve(path.split('/'), null)?.path).toBe(result);
  });

  it('returns null for a missing path', () => {
    expect(treeOf(shape).resolve(['lib', 'nothing'], null)).toBeNull();
  });

  it('creates missing directories at symlink targets inside the layer', () => {
    const made: string[] = [];
    treeOf({ out: '/../../etc' }).resolve(['out', 'cron.d'], (parent, name) => {
      made.push(`${parent.path}|${name}`);
      return newNode('directory', true);
    });
    expect(made).toEqual(['|etc', 'etc|cron.d']);
  });

  it('refuses a loop and a file in the path', () => {
    expect(() => treeOf(shape).resolve(['loop1', 'x'], null)).toThrow(/too many symlinks/);
    const tree = new LayerTree('/layer', false);
    tree.root.children.set('file', newNode('file', true));
    expect(() => tree.resolve(['file', 'x'], null)).toThrow(/not a directory/);
  });

  it('refuses a path that is too long for the kernel', () => {
    const path = `${'d'.repeat(200)}/`.repeat(21);
    expect(() => treeOf({}).hostPath(path)).toThrow(expect.objectContaining({ code: 'TSD_LAYER_HOSTILE' }));
  });
});
