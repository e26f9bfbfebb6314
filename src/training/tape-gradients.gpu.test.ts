import './tape-gradients.test';
