import './losses.test';
