/**
 * A cell that spreadsheets show as text: what begins like a formula gets an apostrophe before it (OWASP, "CSV
 * Injection").
 */
export function escapeCell(value: string): string {
  return /^\s*[=+\-@\t\r]/.test(value) ? `'${value}` : value;
}
