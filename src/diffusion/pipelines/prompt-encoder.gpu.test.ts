import './prompt-encoder.test';
