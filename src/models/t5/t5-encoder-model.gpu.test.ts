import './t5-encoder-model.test';
