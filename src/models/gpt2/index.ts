export { type Gpt2Config, parseGpt2Config } from './config';
export { GPT2_IGNORED_KEYS, Gpt2Model, gpt2StateDict } from './gpt2-model';
