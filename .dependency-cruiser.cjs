/**
 * Import directions: common <- audio, text, weights, gpu <- nn <- models <- diffusion <- training, preferences <- engine/host <- workers;
 * engine/protocol (types) <- engine/client <- ui. Each rule says why in its comment; the reporter prints it.
 */
const layers = [
  ['common', []],
  ['audio', ['common']],
  ['text', ['common']],
  ['weights', ['common']],
  ['gpu', ['common']],
  ['nn', ['common', 'gpu', 'weights']],
  ['models', ['common', 'gpu', 'weights', 'nn', 'audio', 'text']],
  ['diffusion', ['common', 'gpu', 'weights', 'nn', 'audio', 'text', 'models']],
  ['preferences', ['common', 'audio', 'text']],
  ['training', ['common', 'gpu', 'weights', 'nn', 'models', 'diffusion']],
];

const layerRules = layers.map(([name, allowed]) => ({
  name: `layer-${name}`,
  comment: `src/${name} may import only ${allowed.length ? allowed.join(', ') : 'nothing'}: imports point downwards, so that each layer can be read, tested and replaced without those above it.`,
  severity: 'error',
  from: { path: `^src/${name}/`, pathNot: '\\.test\\.ts$' },
  to: { path: '^src/', pathNot: `^src/(${[name, ...allowed].join('|')})/` },
}));

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      comment: 'A cycle means two modules are one thing in two files: neither can be loaded or tested alone.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    ...layerRules,
    {
      name: 'page-holds-no-tfjs',
      comment:
        'The page starts fast because the tensor library lives in the worker only; talk to it through engine/client.',
      severity: 'error',
      from: { path: '^src/(ui|engine/client|engine/protocol|engine/rpc)' },
      to: { path: '@tensorflow' },
    },
    {
      name: 'page-talks-through-the-client',
      comment:
        'ui knows the engine through engine/protocol (types) and engine/client only: the host and the models run in a worker.',
      severity: 'error',
      from: { path: '^src/ui/' },
      to: { path: '^src/(engine/host|gpu|nn|models|diffusion|training|weights)/' },
    },
    {
      name: 'client-is-page-side',
      comment:
        'engine/client runs on the page: it may know common, audio, preferences (pure code), the protocol and the way it crosses the worker boundary (engine/rpc), not the host or the models.',
      severity: 'error',
      from: { path: '^src/engine/(client|protocol|rpc)', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/', pathNot: '^src/(common|audio|preferences|engine/(client|protocol|rpc))' },
    },
    {
      name: 'no-ui-libraries-below-ui',
      comment:
        'React, Zustand and the waveform player belong to src/ui: everything below must run in a worker and in Node.',
      severity: 'error',
      from: { path: '^src/(?!ui/)' },
      to: { path: 'node_modules/(react|react-dom|zustand|wavesurfer\\.js|radix-ui)/' },
    },
    {
      name: 'comlink-at-the-boundary',
      comment: 'Comlink is how page and worker talk: only engine and workers may know it.',
      severity: 'error',
      from: { path: '^src/(?!engine/)' },
      to: { path: 'node_modules/comlink/' },
    },
    {
      name: 'not-to-tests',
      comment: 'Shipped code never imports tests or test helpers.',
      severity: 'error',
      from: { path: '^(src|workers)/', pathNot: '(\\.test\\.tsx?$|^src/testing/)' },
      to: { path: '(\\.test\\.tsx?$|^src/testing/)' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'browser', 'default', 'types'],
    },
  },
};
