import './embedding.test';
