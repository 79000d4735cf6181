/** Text as HTML: what comes from a run's folder must not become markup. */
export function escapeHtml(text: string): string {
  return text.replace(
    /[&<>"']/g,
    (character) =>
      ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[character] as string,
  );
}

/** JSON that may stand inside of a script element. */
export function embeddedJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

/** The colour of a run or a span, by its number: style.ts has eight of each, then they come again. */
export function colour(index: number): string {
  return `var(--series-${index % 8})`;
}
