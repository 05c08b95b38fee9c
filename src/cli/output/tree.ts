import type { TreeNodeView } from '../../api/images/image-files.ts';
import { formatBytes, printable } from './text.ts';

/** Layers and images as an indented tree, one a line. */
export function formatTree(nodes: readonly TreeNodeView[], indent = ''): string {
  return nodes
    .map((node, index) => {
      const last = index === nodes.length - 1;
      const line = `${indent}${last ? '└─' : '├─'}${describe(node)}\n`;
      return line + formatTree(node.children, `${indent}${last ? '  ' : '│ '}`);
    })
    .join('');
}

function describe({ id, type, tags, size }: TreeNodeView): string {
  if (type === 'layer') return `${id.slice(0, 12)} ${formatBytes(size)}`;
  return `image ${id.slice(0, 12)} ${tags.length === 0 ? '<no name>' : printable(tags.join(', '))}`;
}
