import './gpt2-model.test';
