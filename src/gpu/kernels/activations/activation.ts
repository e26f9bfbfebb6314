/** The activations that layers can fuse, by their names in config.json. */
export type Activation = 'silu' | 'gelu' | 'gelu_new' | 'relu';
