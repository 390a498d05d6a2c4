/**
 * Marks that chat templates, and our own envelope, give a meaning beyond text. Inside untrusted content each gets a
 * backslash after its first character (`<\|im_start|>`, `[\INST]`, `\n\nHuman\:`): it is no longer the mark, and whoever
 * reads it sees what stood there. No entry matches its own neutralised form or contains another entry, and every
 * repetition is bounded.
 */
const MARKERS: readonly RegExp[] = [
  // ChatML, Llama 3, GPT, Phi, Qwen and others: <|im_start|>, <|endoftext|>, <|start_header_id|>, <|eot_id|>
  /<\|[^|<>[\]\n]{1,64}\|>/,
  // DeepSeek writes full-width bars: <｜User｜>, <｜begin▁of▁sentence｜>
  /<｜[^｜<>[\]\n]{1,64}｜>/,
  // Llama 2 and Mistral
  /\[\/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|IMG|PREFIX|MIDDLE|SUFFIX)\]/,
  /<<\/?SYS>>/,
  /<\/?s>/,
  // Gemma
  /<(?:start_of_turn|end_of_turn|bos|eos|pad|unk)>/,
  // Tool-call markup and reasoning blocks: Hermes, Qwen, Anthropic
  /<\/?(?:antml:)?(?:tool_call|tool_calls|tool_response|tool_result|function_calls|function_call|function_results|invoke|think|system)(?=[\s>/])/,
  // Command R
  /<\/?(?:BOS_TOKEN|EOS_TOKEN|EOP_TOKEN)>/,
  // The boundary lines of our own envelope
  /<<(?:untrusted|end) /,
];

/** Turns at the start of a paragraph: `Human:`, `Assistant:`, `### Instruction:`. */
const TURNS = /(^|\n\n)(Human|Assistant|### (?:Instruction|Response|System))(?=:)/g;

const ANY_MARKER = new RegExp(MARKERS.map((marker) => marker.source).join('|'), 'gi');

/** Neutralises every marker; a text without them is answered unchanged. Applied twice it is as applied once. */
export function neutraliseMarkers(text: string): string {
  return text
    .replace(ANY_MARKER, (marker) => `${marker.slice(0, 1)}\\${marker.slice(1)}`)
    .replace(TURNS, (_turn, before: string, role: string) => `${before}${role}\\`);
}
