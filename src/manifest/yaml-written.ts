/** YAML that is printed. */
import { type Document, Scalar, visit } from 'yaml';
import { hasControls, withoutControls } from '../model/text/text-controls.ts';

/** A document as text without characters that a terminal obeys; it is read as the same values. */
export function yamlText(document: Document): string {
  visit(document, {
    Scalar: (_, node) => {
      if (typeof node.value === 'string' && hasControls(node.value)) node.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return withoutControls(document.toString({ lineWidth: 0 }));
}
