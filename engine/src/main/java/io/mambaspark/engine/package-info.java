/** The Mamba forward pass and its scores. */
package io.mambaspark.engine;
