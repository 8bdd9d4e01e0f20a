/** The hidden input that carries a token in a form. */
import { TOKEN_FIELD } from './presented.ts'

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
  '\r': '&#13;',
}

/** Makes text safe between tags and within quoted attributes. A carriage return is kept, which the HTML parser would drop. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"'`\r]/g, (sign) => ENTITIES[sign] ?? '')
}

/** The token as a hidden input, for a template that does not escape it again. */
export function hiddenField(token: string): string {
  return `<input type="hidden" name="${TOKEN_FIELD}" value="${escapeHtml(token)}">`
}
