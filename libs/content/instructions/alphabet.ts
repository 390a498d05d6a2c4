/** Shifts each letter of the lower-case alphabet by some places. */
export function rotated(text: string, by: number): string {
  return text.replace(/[a-z]/g, (letter) => String.fromCharCode(((letter.charCodeAt(0) - 97 + by) % 26) + 97));
}

/** Mirrors the lower-case alphabet: a becomes z. */
export function mirrorAlphabet(text: string): string {
  return text.replace(/[a-z]/g, (letter) => String.fromCharCode(219 - letter.charCodeAt(0)));
}
