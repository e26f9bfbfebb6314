import { renameStateDict, type StateDict } from '../../weights';

/** Names of the mid block's attention before diffusers 0.17, still in published files (AudioLDM's among them). */
const OLD_ATTENTION_NAMES: ReadonlyMap<string, string> = new Map([
  ['query', 'to_q'],
  ['key', 'to_k'],
  ['value', 'to_v'],
  ['proj_attn', 'to_out.0'],
]);

/** The state dict under the names that `AutoencoderKL` has, from today's or yesterday's diffusers. */
export function autoencoderKLStateDict(stateDict: StateDict): StateDict {
  return renameStateDict(stateDict, (name) =>
    name.replace(
      /(\.attentions\.\d+\.)(query|key|value|proj_attn)\./,
      (_, path: string, old: string) => `${path}${OLD_ATTENTION_NAMES.get(old)}.`,
    ),
  );
}
