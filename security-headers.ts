/**
 * Response headers of the studio, one source for the dev server, the preview server and static hosts
 * (dist/_headers). COOP + COEP give cross-origin isolation, which WebAssembly threads need
 * (https://web.dev/articles/coop-coep); `credentialless` keeps plain CORS downloads from model hubs working.
 */

/**
 * wavesurfer.js puts one style sheet into its shadow root as a `<style>` tag. Its text is fixed for a fixed height, so
 * the policy can name exactly it; src/ui/components/sound-view/waveform-style.test.ts says when it has changed.
 */
export const WAVESURFER_STYLE_HASH = "'sha256-fF0LBso7Nz75zaFRDBUefBDvPe19hjaiDnnc8lt+2Js='";

const contentSecurityPolicy: Record<string, readonly string[]> = {
  'default-src': ["'self'"],
  'script-src': ["'self'", "'wasm-unsafe-eval'"],
  'worker-src': ["'self'"],
  'style-src': ["'self'", WAVESURFER_STYLE_HASH],
  'img-src': ["'self'", 'data:', 'blob:'],
  'media-src': ["'self'", 'blob:'],
  'font-src': ["'self'"],
  'connect-src': ["'self'", 'blob:', 'https:', 'http://localhost:*', 'http://127.0.0.1:*'],
  'object-src': ["'none'"],
  'base-uri': ["'self'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
};

/**
 * @param nonce added to script-src and style-src; only the dev server needs one, for the tags that hot
 *   module replacement injects.
 */
export function securityHeaders(
  options: { nonce?: string; devSocket?: boolean } = {},
): Record<string, string> {
  const { nonce, devSocket = false } = options;
  const policy = Object.entries(contentSecurityPolicy).map(([directive, sources]) => {
    const extra: string[] = [];
    if (nonce && (directive === 'script-src' || directive === 'style-src')) extra.push(`'nonce-${nonce}'`);
    if (devSocket && directive === 'connect-src') extra.push('ws:');
    return [directive, ...sources, ...extra].join(' ');
  });
  return {
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Embedder-Policy': 'credentialless',
    'Content-Security-Policy': policy.join('; '),
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
  };
}
