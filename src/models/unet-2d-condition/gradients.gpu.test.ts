import './gradients.test';
